"""The section ``train`` of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from pwact.config.document import JsonObject, plain, read_document
from pwact.config.elements import Elements
from pwact.config.engine_keys import EngineKeys
from pwact.config.kinds import Choice, Located, Text, existing, is_there
from pwact.config.nep_in import is_json
from pwact.config.schema import Key, Node, declare, keys_of, nearest
from pwact.config.shapes import NOT_BLANK, Shape
from pwact.config.train_keys import ENGINES, settings_of
from pwact.registry.engines import TRAINERS

_MODEL_ENDINGS = (".pth", ".pt", ".model", ".txt", ".pb")  # of files, in no name of a model


@dataclass(frozen=True)
class Foundation:
    """A file, relative to the work directory, or a name without directories.

    What is there is the file; what is not and has no ending of its own or a directory is a name.
    """

    words: str = "file or name of a model"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return dict(NOT_BLANK)

    def convert(self, node: Node) -> str:
        """The absolute path, or the name."""
        text = Text(one_line=True).convert(node)
        if is_there(node.context.base / text) or "/" in text or text.endswith(_MODEL_ENDINGS):
            return str(existing(node, Path(text)))
        return text


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, and by which program.

    Attributes
    ----------
    settings
        The other keys of the user, those known to the engine in its own spelling. From
        `input_file` if there is one. Unknown keys stay where the engine passes them on.
    raw
        The section as it stands in param.json.
    """

    engine: str = declare("matpl", Choice(tuple(TRAINERS)), "The program that trains the models.")
    model_type: str = declare(
        "DP",
        Text(one_line=True),
        "matpl: DP or NEP (required); deepmd, deepmd-pytorch, dpa: DP; torchnep: NEP; the others: "
        "their own name.",
        default_words="by engine",
    )
    atom_type: tuple[str, ...] = declare(
        (), Elements(), "All elements of the data, as symbols or atomic numbers.", required=True
    )
    input_file: Optional[Path] = declare(
        None,
        Located(),
        "A file of the training program that replaces the other keys of this section: JSON, or "
        "for torchnep its nep.in, for sevennet and mace their YAML.",
        name="train_input_file",
    )
    foundation: Optional[str] = declare(
        None,
        Foundation(),
        "The pretrained model that the first training begins with: a file, or a name by which the "
        "program knows one that it holds.",
    )
    settings: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needed_frames(self) -> int:
        """How many frames fill a batch, if the program needs whole ones; else 1."""
        return self.batch_size if ENGINES[self.engine].whole_batches else 1

    @property
    def batch_size(self) -> int:
        """How many frames the user wants in a batch; 1 where he does not say it by a number."""
        section, _, name = ENGINES[self.engine].batch.rpartition(".")
        found = self.settings.get(section) if section else self.settings
        size = found.get(name, 1) if isinstance(found, Mapping) else 1
        return size if isinstance(size, int) else 1

    @property
    def cutoff(self) -> Optional[float]:
        """The largest distance at which atoms of a model feel each other directly, in Å.

        None where the program or its input does not say so.
        """
        keys = ENGINES[self.engine]
        if self.foundation is not None or self.model_type not in keys.cutoffs:
            return None
        if keys.native_key and keys.native_key in self.settings:
            return _native_cutoff(self.settings)
        section, name = keys.cutoffs[self.model_type]
        found: Any = self.settings
        for part in section.split(".") if section else ():
            found = found.get(part) if isinstance(found, Mapping) else None
        given = found.get(name) if isinstance(found, Mapping) else None
        if given is None:
            given = next(key.default for key in keys.sections[section] if key.name == name)
        return max(map(float, given)) if isinstance(given, list) else float(given)


def _native_cutoff(settings: Mapping[str, Any]) -> Optional[float]:
    """The largest ``rcut`` of a descriptor of DeePMD-kit, which may be a list of several."""
    model = settings.get("model")
    descriptor = model.get("descriptor") if isinstance(model, Mapping) else None
    if not isinstance(descriptor, Mapping):
        return None
    inner = descriptor.get("list")
    parts = [descriptor, *(inner if isinstance(inner, list) else ())]
    found = [part.get("rcut") for part in parts if isinstance(part, Mapping)]
    numbers = [float(one) for one in found if isinstance(one, (int, float))]
    return max(numbers, default=None)


KEYS = keys_of(TrainConfig)
OWN = frozenset(key.name for key in KEYS)


def load_train(node: Node) -> TrainConfig:
    """Read the section ``train``.

    Raises
    ------
    InputError
        A key is wrong, or the engine cannot train what is asked for.
    """
    own = {key.attribute: key for key in KEYS}
    members = node.members()
    engine = _value(own["engine"], members) or own["engine"].default
    keys = ENGINES[engine]
    input_file: Optional[Path] = _value(own["input_file"], members)
    source, native = node, False
    if input_file is not None:
        context = replace(node.context, file=input_file)
        source = Node(_document(input_file, keys), "", context)
        native = bool(keys.native_key) and keys.native_key in source.members()
    given = {**members, **source.members()}
    return TrainConfig(
        engine=engine,
        foundation=_foundation(own["foundation"], members, engine),
        model_type=_model_type(source, given, engine),
        atom_type=_atom_type(source, given, native),
        input_file=input_file,
        settings=plain(source.value) if native else settings_of(source, engine, OWN),
        raw=plain(node.value),
    )


def _document(file: Path, keys: EngineKeys) -> JsonObject:
    """The keys of a file of the training program."""
    if keys.read_native is not None and not is_json(file):
        return keys.read_native(file)
    return read_document(file).root


def _value(key: Key, members: Mapping[str, Node]) -> Any:
    return key.kind.convert(members[key.name]) if key.name in members else None


def _foundation(key: Key, members: Mapping[str, Node], engine: str) -> Optional[str]:
    if key.name in members and not ENGINES[engine].begins_pretrained:
        able = ", ".join(name for name, keys in ENGINES.items() if keys.begins_pretrained)
        message = f"{engine} begins with no pretrained model; train.engine allows it with {able}"
        raise members[key.name].error(message)
    found: Optional[str] = _value(key, members)
    return found


def _model_type(node: Node, given: Mapping[str, Node], engine: str) -> str:
    keys = ENGINES[engine]
    found = given.get("model_type")
    if found is None:
        if keys.default_type is None:
            words = " or ".join(keys.model_types)
            raise node.child("model_type", None).error(
                f"this key is required and missing: {words} for {engine}"
            )
        return keys.default_type
    word: str = Text(one_line=True).convert(found).upper()
    if word not in keys.model_types:
        raise found.wrong(f"{' or '.join(keys.model_types)} for train.engine {engine}")
    return word


def _atom_type(node: Node, given: Mapping[str, Node], native: bool) -> tuple[str, ...]:
    found = given.get("atom_type")
    if found is None and native and "model" in given:
        found = given["model"].members().get("type_map")
    if found is None:
        near = nearest("atom_type", given.keys() - OWN, 0.6)
        hint = f"; is {given[near].key.rpartition('.')[2]} meant for it?" if near else ""
        raise node.child("atom_type", None).error(f"this key is required and missing{hint}")
    return Elements().convert(found)
