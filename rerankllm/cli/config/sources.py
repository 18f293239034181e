"""Options that were not typed: what the environment and the files say, and which of them holds.

The command line wins over the environment, that over the nearest `rerankllm.toml`, that over the user's own, that over
the defaults; in each, what is said for one command over what is said for all.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rerankllm.cli.config.options import Settable
from rerankllm.errors import InputError
from rerankllm.notes import tell
from rerankllm.registry import instead

NAME = "rerankllm.toml"
NONE = "none"
"""Instead of a file: read none."""
ELSEWHERE = ("RERANKLLM_CONFIG", "RERANKLLM_API_KEYS")
"""Variables that set no option."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An option's value, and who said so: a file or an environment variable."""

    key: str
    value: Any
    origin: str


Place: TypeAlias = tuple[str | None, str]
"""A command, or None for all that share the option; and the option's key."""
InForce: TypeAlias = Mapping[str, Mapping[str, Setting]]
"""By command and by option, as the command's function calls it."""


def files(chosen: str | None) -> list[Path]:
    """Where settings may be, the first winning; whether there is anything is another matter.

    Args:
        chosen: A file to read instead of all others, or `none`.

    Raises:
        InputError: The file chosen is not there.
    """
    if chosen is not None:
        if chosen != NONE and not Path(chosen).is_file():
            raise InputError(f"no file {chosen}: --config takes a file, or {NONE} to read none")
        return [] if chosen == NONE else [Path(chosen).absolute()]
    import platformdirs  # noqa: PLC0415

    own = Path(platformdirs.user_config_path("rerankllm", appauthor=False), NAME)
    try:
        nearest = _nearest(Path.cwd())
    except OSError:  # the working folder is gone
        nearest = None
    return [own] if nearest in {None, own} else [nearest, own]


def _nearest(folder: Path) -> Path | None:
    """The file in the folder or the nearest above it, within the repository and the home folder.

    One that somebody else could have put there is passed over: it could send texts and keys wherever it wants.
    """
    for above in (folder, *folder.parents):
        if os.path.isfile(above / NAME) and _ours(above / NAME):  # noqa: PTH113 - false where it may not be looked at
            return above / NAME
        if os.path.exists(above / ".git") or above == Path.home():  # noqa: PTH110 - likewise
            break
    return None


def _ours(path: Path) -> bool:
    ours = not hasattr(os, "getuid") or path.stat().st_uid in {os.getuid(), 0}
    if not ours:
        tell(f"{path} belongs to another user and is left unread; name it with --config to use it")
    return ours


def in_force(settable: Sequence[Settable], found: Sequence[Path], environment: Mapping[str, str]) -> InForce:
    """What holds for every command where nothing else is typed.

    Raises:
        InputError: A file or a variable says what cannot be.
    """
    layers = [_of_environment(settable, environment), *(_of_file(settable, path) for path in found if path.is_file())]
    chosen: dict[str, dict[str, Setting]] = {}
    for option in settable:
        command = str(option.command.name)
        places: list[Place] = [(command, option.key), *([(None, option.key)] if option.shared else [])]
        said = [layer[place] for layer in layers for place in places if place in layer]
        if said:
            chosen.setdefault(command, {})[option.name] = said[0]
    return chosen


def unknown_variables(settable: Sequence[Settable], environment: Mapping[str, str]) -> list[str]:
    """Variables that look as if they set an option, and set none."""
    known = {variable for option in settable for variable, _ in _variables(option)} | set(ELSEWHERE)
    return sorted(name for name in environment if name.startswith("RERANKLLM_") and name not in known)


def _variables(option: Settable) -> Iterator[tuple[str, Place]]:
    yield option.variable(), (option.command.name, option.key)
    if option.shared:
        yield option.variable(shared=True), (None, option.key)


def _of_environment(settable: Sequence[Settable], environment: Mapping[str, str]) -> dict[Place, Setting]:
    layer: dict[Place, Setting] = {}
    for option in settable:
        for variable, place in _variables(option):
            if place not in layer and environment.get(variable):
                layer[place] = Setting(option.key, option.of_text(environment[variable], variable), variable)
    return layer


def _of_file(settable: Sequence[Settable], path: Path) -> dict[Place, Setting]:
    layer: dict[Place, Setting] = {}
    for table, key, value in _entries(settable, path):
        option = next(each for each in settable if _holds(each, table, key))
        where = f"{path}: {key if table is None else f'{table}.{key}'}"
        layer[table, key] = Setting(key, option.of_file(value, path.parent, where), str(path))
    return layer


def _entries(settable: Sequence[Settable], path: Path) -> Iterator[tuple[str | None, str, Any]]:
    """Command (None for all), key and value of everything in the file.

    Raises:
        InputError: It does not read, or has a key that there is not.
    """
    tables = list(dict.fromkeys(str(option.command.name) for option in settable))
    for name, value in _read(path).items():
        if name in tables and isinstance(value, dict):
            for key, inner in value.items():
                _check(settable, path, name, key)
                yield name, key, inner
        else:
            _check(settable, path, None, name, tables)
            yield None, name, value


def _check(settable: Sequence[Settable], path: Path, table: str | None, key: str, tables: Sequence[str] = ()) -> None:
    known = [option.key for option in settable if _holds(option, table, option.key)]
    if key in known:
        return
    if "api_key" in key:
        raise InputError(
            f"{path}: {key}: keys are not read from files; put the key into the environment, as OPENAI_API_KEY or by "
            "the name that the model says: 'openai:NAME?api_key_env=VARIABLE'"
        )
    if key in tables:
        raise InputError(f"{path}: '{key}' should be a table of options, as after [{key}]")
    owners = [str(option.command.name) for option in settable if option.key == key] if table is None else []
    if owners:
        raise InputError(f"{path}: '{key}' is not for all commands: write it under one, such as [{owners[0]}]")
    what = "unknown key or table" if table is None else f"unknown key in [{table}]:"
    raise InputError(f"{path}: {what} '{key}'{instead(key, dict.fromkeys([*known, *tables]))}")


def _holds(option: Settable, table: str | None, key: str) -> bool:
    return option.key == key and (option.shared if table is None else option.command.name == table)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from None
