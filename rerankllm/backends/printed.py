"""The spec of a model, as it is printed."""


def printed(kind: str, name: str, **options: str | float | None) -> str:
    """The spec of a model with these options, those that are None left out."""
    shown = "&".join(f"{key}={value}" for key, value in options.items() if value is not None)
    return f"{kind}:{name}" + (f"?{shown}" if shown else "")


def shown_unless(default: float, value: float | None) -> float | str | None:
    """An option as the printed spec shows it: None, for not at all, when it is the default."""
    return "none" if value is None else (None if value == default else value)
