"""Everything rerankllm raises, as one tree.

```
RerankError
├── InputError          the caller's files, arguments or texts; the message says what, where, what would work
│   ├── SpecError       a stage, strategy, elicitation or model spec that does not parse or name anything
│   └── TemplateError   a prompt template that does not load, render or fit its model
├── CapabilityError     a strategy or elicitation needs what the backend cannot do
├── MissingExtra        a package is not installed; the message is the pip command
├── BackendError        the backend as a whole is unusable: nothing more is sent to it
│   ├── AuthError       401, 403, 404: the key, the permission or the model name is wrong
│   └── UnreachableError  no answer ever came from there
├── QueryFailed         one query could not be ranked; the others go on
└── Interrupted         Ctrl-C ended the work in order; what was done is kept
```

A *call* that fails is no exception but a value (`rerankllm.judgements.Unanswered`); it becomes `QueryFailed` when
the strategy cannot rank without it.
"""


class RerankError(Exception):
    """Base of all errors of this package."""


class InputError(RerankError):
    """The input cannot be used as it is; nothing was sent to any model because of it."""


class SpecError(InputError):
    """A spec string is malformed, or names something that does not exist."""


class TemplateError(InputError):
    """A prompt template cannot be loaded, rendered, or used with this model."""


class CapabilityError(RerankError):
    """The backend lacks what the strategy or elicitation needs; the message names what would work."""


class MissingExtra(RerankError):
    """An optional package is needed and absent."""

    def __init__(self, message: str) -> None:
        bare = message.startswith("pip install")
        super().__init__(f"this needs packages that are not installed: {message}" if bare else message)


class BackendError(RerankError):
    """The backend cannot be used; every query still waiting for it fails with this reason."""


class AuthError(BackendError):
    """The host refused the key, the permission or the model name; retrying cannot help."""


class UnreachableError(BackendError):
    """The host has never answered: wrong address, or nothing is listening there."""


class QueryFailed(RerankError):
    """One query could not be ranked.

    Args:
        reason: What went wrong, in one line.
        query_id: The query it happened to; filled in by the driver.
    """

    def __init__(self, reason: str, query_id: str | None = None) -> None:
        super().__init__(reason if query_id is None else f"query {query_id}: {reason}")
        self.reason = reason
        self.query_id = query_id


class Interrupted(RerankError):
    """Ctrl-C or SIGTERM ended the work in order: what was done is kept, and the same call goes on from there."""
