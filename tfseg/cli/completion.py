"""Prints what makes a shell complete verbs, flags and their values.

    source <(tfseg completion bash)               for good: this line in ~/.bashrc
    source <(tfseg completion zsh)                for good: this line in ~/.zshrc, after compinit
    tfseg completion fish | source                for good: in ~/.config/fish/config.fish

The script has the names that this version has; it starts no Python while you type.
"""

import shlex
from collections.abc import Callable

from absl import flags as absl_flags

from tfseg.cli.command import defined
from tfseg.cli.files import list_recipes
from tfseg.cli.flags import Flags
from tfseg.cli.verbs import VERBS
from tfseg.errors import TfsegError, unknown

PATHS = "bash|zsh|fish"
GROUPS: dict[str, str] = {}

_BASH = """# Completion of tfseg, by `tfseg completion`.
_tfseg() {
  local cur=${COMP_WORDS[COMP_CWORD]} flag= prefix= words=
  # bash takes --flag=value for three words, zsh for one.
  if [[ $cur == --*=* ]]; then
    flag=${cur%%=*} prefix=${cur%%=*}= cur=${cur#*=}
  elif [[ $cur == = ]]; then
    flag=${COMP_WORDS[COMP_CWORD-1]} cur=
  elif [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[COMP_CWORD-1]} == = ]]; then
    flag=${COMP_WORDS[COMP_CWORD-2]}
  fi
  # After a comma, the next of several values.
  if [[ -n $flag && $cur == *,* ]]; then
    prefix=$prefix${cur%,*}, cur=${cur##*,}
  fi
  if [[ $COMP_CWORD -eq 1 ]]; then
    words='@VERBS@'
  elif [[ -n $flag ]]; then
    case ${COMP_WORDS[1]}:${flag#--} in
@VALUES@
    esac
  elif [[ $cur == -* ]]; then
    case ${COMP_WORDS[1]} in
@FLAGS@
    esac
  fi
  COMPREPLY=()
  [[ -z $words ]] && return
  local word
  for word in $(compgen -W "$words" -- "$cur"); do COMPREPLY+=("$prefix$word"); done
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace 2>/dev/null
  fi
  return 0
}
complete -o default -F _tfseg tfseg
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def define(flags: Flags) -> None:
    del flags  # it has none of its own


def main(flags: Flags, shells: list[str]) -> None:
    if len(shells) != 1:
        raise TfsegError("name one shell: bash, zsh or fish")
    if shells[0] not in SCRIPTS:
        raise unknown("shell", shells[0], SCRIPTS)
    print(SCRIPTS[shells[0]](), end="")


def _flags() -> dict[str, dict[str, tuple[bool, list[str], str]]]:
    """{verb: {flag: (whether it is a switch, its values, its help)}}; unknown values are none."""
    return {
        verb: {
            name: (bool(flags[name].boolean), _values(flags[name]), flags[name].help)
            for name in flags
        }
        for verb in VERBS
        for flags in [defined(verb, [])[1]]
    }


def _values(flag: absl_flags.Flag) -> list[str]:
    choices = getattr(flag.parser, "choices", None)
    if choices:
        return list(choices)
    if flag.name == "recipe":
        return list_recipes()
    if flag.name == "model":
        from tfseg.models import list_models

        return [name for name in list_models() if "+" not in name]
    if flag.name in ("weights", "init_weights", "models"):
        from tfseg.zoo import RELEASES

        return list(RELEASES)
    return []


def _written(name: str, switch: bool) -> list[str]:
    return [f"--{name}", f"--no{name}"] if switch else [f"--{name}="]


def _bash() -> str:
    known = _flags()
    flags, values = [], []
    for verb, entries in known.items():
        words = [word for name, (switch, *_) in entries.items() for word in _written(name, switch)]
        flags.append(f"      {verb}) words='{' '.join([*words, '--help', '--helpfull'])}' ;;")
        values += [
            f"      {verb}:{name}) words='{' '.join(choices)}' ;;"
            for name, (_, choices, _) in entries.items()
            if choices
        ]
    parts = {"@VERBS@": [" ".join(VERBS)], "@FLAGS@": flags, "@VALUES@": values}
    script = _BASH
    for mark, lines in parts.items():
        script = script.replace(mark, "\n".join(lines))
    return script


def _zsh() -> str:
    return _ZSH + _bash()


def _fish() -> str:
    lines = ["# Completion of tfseg, by `tfseg completion`."]
    first = "-n __fish_use_subcommand -f"
    lines += [
        f"complete -c tfseg {first} -a {row.name} -d {shlex.quote(row.help)}"
        for row in VERBS.values()
    ]
    for verb, entries in _flags().items():
        here = f"complete -c tfseg -n '__fish_seen_subcommand_from {verb}'"
        for name, (switch, choices, help) in entries.items():
            text = shlex.quote(" ".join(help.split(". ")[0].split())[:80])
            if switch:
                lines += [f"{here} -l {word} -d {text}" for word in (name, f"no{name}")]
            elif choices:
                lines.append(f"{here} -l {name} -xa {shlex.quote(' '.join(choices))} -d {text}")
            else:
                lines.append(f"{here} -l {name} -r -d {text}")
    return "\n".join(lines) + "\n"


SCRIPTS: dict[str, Callable[[], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
