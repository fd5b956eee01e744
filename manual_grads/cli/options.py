"""Options: a frozen dataclass whose fields are flags.

A field such as `batch_size: Annotated[int, "examples per step", AT_LEAST_1] = 256` defines a flag
with its type, help text, rule and default. The parser, `--help` and `check` use this definition.
"""

import dataclasses
import difflib
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from absl import flags

from manual_grads.cli import flag_files
from manual_grads.cli.errors import FlagError, InputError
from manual_grads.cli.rules import A_PATH, ANY, Rule

Options = TypeVar("Options")


class OptionError(InputError):
    """The value of an option violates the option's rule, or does not fit another option."""


HELP_HINT = "--help lists every flag, its values and its default"


class Option(NamedTuple):
    """One field of an options dataclass; `--help` lists the option under the heading `group`."""

    name: str
    kind: Any
    help: str
    rule: Rule
    default: Any
    group: str


def options_of(options_class: type, group: str = "Flags") -> Iterator[Option]:
    """The options of a dataclass; for a field that is a dataclass, the options of that dataclass.

    The class may have a dict `HEADINGS` from a field's name to the group that begins at the field.
    """
    hints = get_type_hints(options_class, include_extras=True)
    for field in dataclasses.fields(options_class):
        group = getattr(options_class, "HEADINGS", {}).get(field.name, group)
        if dataclasses.is_dataclass(hints[field.name]):
            yield from options_of(hints[field.name], group)
        else:
            kind, help_text, rule = get_args(hints[field.name])
            yield Option(field.name, kind, help_text, rule, field.default, group)


def check(options: Any) -> None:
    """Raises `OptionError` unless every field of `options` has its type and satisfies its rule."""
    for option in options_of(type(options)):
        if not hasattr(options, option.name):
            continue  # a nested dataclass has checked this option
        value = getattr(options, option.name)
        if not _has_type(value, option.kind):
            expected = f"--{option.name} must be {_kind_words(option.kind)}"
        elif not option.rule.holds(value):
            expected = f"--{option.name} must {option.rule.words}"
        else:
            continue
        close = difflib.get_close_matches(str(value), option.rule.choices, n=1)
        repair = f"--{option.name}={close[0]}" if close else default_words(option)
        raise OptionError(expected, f"--{option.name}={text(value)}", repair)


def values(options: Any) -> dict[str, Any]:
    """The value of each option, keyed by its name. Options of nested dataclasses are included."""
    found = {}
    for name, value in vars(options).items():
        found |= values(value) if dataclasses.is_dataclass(value) else {name: value}
    return found


def default_words(option: Option) -> str:
    """The suggestion to use the default value, because this value is always valid."""
    if option.default is None:
        return f"leaving out --{option.name}, which is the default"
    return f"--{option.name}={text(option.default)}, which is the default"


def text(value: Any) -> str:
    """An option's value as a user writes it after `--name=`."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "" if value is None else str(value)


@dataclass(frozen=True)
class Everywhere:
    """The options that every command has. They do not change the results of a command."""

    compilation_cache: Annotated[
        str | None,
        "folder that keeps compiled programs for later commands; if not given, a folder in the "
        "user's cache; none: compiled programs are not kept",
        A_PATH,
    ] = None

    def __post_init__(self):
        check(self)


def parse(
    options_class: type[Options], argv: Sequence[str], words: list[str] | None = None
) -> Options:
    """Like `parse_with_common`, but returns only the options of `options_class`."""
    return parse_with_common(options_class, argv, words)[0]


def parse_with_common(
    options_class: type[Options], argv: Sequence[str], words: list[str] | None = None
) -> tuple[Options, Everywhere]:
    """Parses arguments and flag files; returns the command's options and the common options.

    Words that are not flags are appended to `words`. If `words` is None, such a word raises
    `FlagError`; absl itself would ignore it. An unknown flag, a value of the wrong type and an
    unreadable flag file also raise `FlagError`. An invalid value raises `OptionError`.
    """
    flag_values = flags.FlagValues()
    both = (options_class, Everywhere)
    for each in both:
        define_flags(each, flag_values)
    flag_values.set_gnu_getopt(True)  # also parses flags that come after positional arguments
    known = {option.name: option for each in both for option in options_of(each)}
    others = _read_flags(flag_values, argv, known)
    if words is not None:
        words += others
    elif others:
        guess = f"--flagfile={others[0]}" if others[0].endswith(".flags") else f"--{others[0]}"
        raise FlagError("every word must be a flag", repr(others[0]), f"{guess}; {HELP_HINT}")
    values = {name: flag_values[name].value for name in flag_values}
    return build(options_class, values), build(Everywhere, values)


def define_flags(options_class: type, flag_values: flags.FlagValues) -> None:
    """Defines a flag in `flag_values` for every option of the dataclass."""
    for option in options_of(options_class):
        define = {
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            str: flags.DEFINE_string,
            bool: flags.DEFINE_boolean,
            tuple: flags.DEFINE_list,
        }[_scalar(option.kind)]
        default = text(option.default) if isinstance(option.default, tuple) else option.default
        define(option.name, default, option.help, flag_values=flag_values)


def build(options_class: type[Options], values: Mapping[str, Any]) -> Options:
    """Builds the dataclass from a flat or nested mapping; unknown names in it are ignored."""
    hints = get_type_hints(options_class)
    fields = {}
    for field in dataclasses.fields(options_class):  # pyright: ignore[reportArgumentType] - a dataclass
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            fields[field.name] = build(kind, values.get(field.name, values))  # pyright: ignore[reportArgumentType] - a class
        elif field.name in values:
            fields[field.name] = _converted(field.name, kind, values[field.name])
    return options_class(**fields)


def help_text(description: str, options_class: type) -> str:
    """The text of `--help`: the description, then each flag with its default, in groups.

    If the class has a tuple `WITHOUT_EFFECT`, the options that it names are not listed.
    """
    lines, group = [description.strip()], ""
    common = options_of(Everywhere, "Every command")
    for option in (*options_of(options_class), *common):
        if option.name in getattr(options_class, "WITHOUT_EFFECT", ()):
            continue
        if option.group != group:
            group = option.group
            lines += ["", f"{group}:"]
        rule = "" if option.rule in (ANY, A_PATH) else f"; must {option.rule.words}"
        lines.append(f"  --{option.name}{_default_in_help(option.default)}")
        indent = " " * 6
        lines += textwrap.wrap(
            option.help + rule, 79, initial_indent=indent, subsequent_indent=indent
        )
    lines.append("  --flagfile=PATH")
    lines.append("      a file with one flag per line; flags after --flagfile override its flags")
    return "\n".join(lines)


def _default_in_help(default: Any) -> str:
    if default is False:
        return ""
    return "=… (not set)" if default is None else f"={text(default)}"


def _read_flags(
    flag_values: flags.FlagValues, argv: Sequence[str], known: Mapping[str, Option]
) -> list[str]:
    """Parses the flags in `argv`, and returns the words that are not flags."""
    known_only = "every flag must be one that this command knows"
    if any(word.lstrip("-").startswith("undefok") for word in argv):
        raise FlagError(known_only, "--undefok, which makes absl ignore unknown flags", HELP_HINT)
    words, _ = flag_files.expand(argv)
    try:
        return flag_values(["command", *words])[1:]
    except flags.UnrecognizedFlagError as error:
        close = difflib.get_close_matches(error.flagname, list(flag_values), n=1)
        repair = f"--{close[0]}; {HELP_HINT}" if close else HELP_HINT
        raise FlagError(known_only, f"--{error.flagname}", repair) from None
    except flags.IllegalFlagValueError as error:
        found = re.match(r"flag --(\w+)=(.*?): ", str(error), re.DOTALL)
        if found is None or found[1] not in known:
            raise FlagError("every flag must have a value", str(error), HELP_HINT) from None
        option = known[found[1]]
        raise FlagError(
            f"--{option.name} must be {_kind_words(option.kind)}",
            f"--{option.name}={found[2]}",
            default_words(option),
        ) from None
    except (flags.Error, ValueError) as error:  # absl raises ValueError for --noresume=False
        raise FlagError("every flag must be written --name=value", str(error), HELP_HINT) from None


def _scalar(kind: Any) -> type:
    if isinstance(kind, UnionType):
        return next(part for part in get_args(kind) if part is not NoneType)
    return get_origin(kind) or kind


def _has_type(value: Any, kind: Any) -> bool:
    if isinstance(kind, UnionType):
        return any(_has_type(value, part) for part in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(
            _has_type(item, get_args(kind)[0]) for item in value
        )
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float if kind is float else kind)


def _kind_words(kind: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
    if get_origin(kind) is tuple:
        plural = {int: "whole numbers", str: "words"}[get_args(kind)[0]]
        return f"{plural} separated by commas"
    return words[_scalar(kind)]


def _converted(name: str, kind: Any, value: Any) -> Any:
    """The value; for a tuple field, a list from a flag or from JSON is converted to a tuple."""
    if get_origin(kind) is not tuple or not isinstance(value, list):
        return value
    if value == ["none"]:
        return ()
    item = get_args(kind)[0]
    try:
        return tuple(item(part) if isinstance(part, str) else part for part in value)
    except ValueError:
        raise OptionError(
            f"--{name} must be {_kind_words(kind)}",
            f"--{name}={text(tuple(value))}",
            f"only {_kind_words(kind)} after --{name}=",
        ) from None
