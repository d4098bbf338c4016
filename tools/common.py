"""What the tools share: how they start, how they end, and the flags that they have in common."""

import logging as standard_logging
import os
import sys

from absl import app, flags, logging
from tqdm import tqdm

from tfseg.errors import TfsegError

FLAGS = flags.FLAGS


def run(main, paths=False):
    """Runs a tool's `main` under absl; the one place that turns exceptions into exit codes.

    `main` takes no arguments, or with `paths` the list of what was given without a flag, and
    returns an exit code or None. A `TfsegError` ends in one line on stderr and exit code 1, or the
    error's own `exit_code`; Ctrl-C in 130; a closed pipe in 141.
    """

    def guarded(argv):
        if len(argv) > 1 and not paths:
            return _fail(f"unexpected argument '{argv[1]}'; options start with --")
        if not FLAGS["verbosity"].present:
            logging.set_verbosity(logging.INFO)
        # TensorFlow's own logger tells of temporary paths, graphs traced again, every all-reduce.
        standard_logging.getLogger("tensorflow").setLevel(standard_logging.WARNING)
        logging.use_absl_handler()
        handler = logging.get_absl_handler()
        handler.setFormatter(standard_logging.Formatter("%(message)s"))
        handler.addFilter(_is_ours)
        try:
            return main(argv[1:]) if paths else main()
        except TfsegError as error:
            return _fail(str(error), getattr(error, "exit_code", 1))
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:
            # Python would complain once more while it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141

    _show_in_help(("common", "protocol", "trained_model"))
    app.run(guarded, flags_parser=_parse)


def _parse(argv):
    """absl's parser, which would tell of a wrong flag in three lines and without our "error:"."""
    try:
        paths = FLAGS(argv)
        for name in FLAGS:
            FLAGS[name].value = _at_home(FLAGS[name].value)
        return [*paths[:1], *map(_at_home, paths[1:])]
    except flags.Error as error:
        message = " ".join(str(error).split()).replace(" ?", "?")
        sys.exit(_fail(f"{message} (--help lists the flags)"))


def _at_home(value):
    """A flag's value with the home folder where it says "~/".

    Shells put it in at the start of a word alone, which it isn't in --output_dir=~/x nor in a flag
    file. Only paths start so.
    """
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    if not isinstance(value, str) or "~" not in value:
        return value
    return ",".join(os.path.expanduser(part) for part in value.split(","))


def _show_in_help(modules):
    """Lists the flags that these modules define in --help, which else shows the tool's own file's.

    (absl's `adopt_module_key_flags` adopts for its caller alone, so each tool would need a call.)
    """
    for module in modules:
        for flag in FLAGS.flags_by_module_dict().get(module, ()):
            FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _is_ours(record):
    # TensorFlow's Python side logs through absl too, on every checkpoint for example.
    return record.levelno >= standard_logging.WARNING or "tensorflow" not in record.pathname


def _fail(message, code=1):
    print(f"error: {message}", file=sys.stderr)
    return code


def define_data(split=None):
    """Defines --data_dir and, if a default is given, --split."""
    flags.DEFINE_string("data_dir", None, "Folder with the image lists and info.json.")
    if split is not None:
        flags.DEFINE_string("split", split, "Which lists to read: {split}_images.txt and so on.")


def define_model_option():
    """Defines --model_option, whose values `parse_options` reads."""
    flags.DEFINE_multi_string(
        "model_option",
        [],
        "An option of the model as key=value, such as output_stride=16; may be repeated.",
    )


class _ChoicesFlag(flags.MultiFlag):
    """Takes several values at once, with commas between, as well as one after the other."""

    def _parse(self, arguments):
        if isinstance(arguments, str):
            arguments = [part.strip() for part in arguments.split(",")]
        return super()._parse(arguments)


def define_choices(name, default, choices, help):
    """Defines a flag for some of `choices`: --name=a,b as well as --name=a --name=b."""
    parser, serializer = flags.EnumParser(choices), flags.ArgumentSerializer()
    help = f"<{'|'.join(choices)}>: {help}; several with commas between"
    flags.DEFINE_flag(_ChoicesFlag(parser, serializer, name, list(default), help))


def define_config(config):
    """Defines a flag for each setting of `TrainConfig`, or of a class like it."""
    for field in config.flag_fields():
        name, default = field.name, field.default
        help, choices = field.metadata["help"], field.metadata["choices"]
        if name == "model_options":
            define_model_option()
        elif choices:
            # The settings refuse others themselves, and say which is nearest.
            flags.DEFINE_string(name, default, f"<{'|'.join(choices)}>: {help}")
        elif field.type is tuple:
            flags.DEFINE_string(name, ",".join(map(str, default)), help)
        else:
            kinds = {
                bool: flags.DEFINE_bool,
                int: flags.DEFINE_integer,
                float: flags.DEFINE_float,
                str: flags.DEFINE_string,
            }
            kinds[field.type](name, default, help)


def read_config(config):
    """The `TrainConfig`, or what is like it, that the flags of `define_config` describe."""
    names = [field.name for field in config.flag_fields() if field.name != "model_options"]
    values = {name: FLAGS[name].value for name in names}
    return config(**values, model_options=parse_options(FLAGS.model_option))


def parse_options(pairs):
    """["key=value", ...] as a dict; values become bools, ints, floats, None, lists or strings.

    Raises:
        TfsegError: an entry has no "=".
    """
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise TfsegError(f"--model_option={pair} is not of the form key=value")
        options[key.strip()] = parse_value(value.strip())
    return options


def parse_value(text):
    """ "true", "16", "0.5", "none", "1,2,4" or any other text as the Python value it stands for."""
    if "," in text:
        return [parse_value(part.strip()) for part in text.split(",") if part.strip()]
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def fetch(source):
    """Downloads what of `source` is a release of the zoo, with a bar where stderr is a terminal.

    Args:
        source: a file of weights, a run directory, or a release's name.
    """
    from tfseg import zoo

    if source not in zoo.RELEASES or os.path.exists(source):
        return
    with tqdm(unit="B", unit_scale=True, disable=None) as bar:

        def show(name, done, total):
            bar.set_description(name, refresh=False)
            bar.total = total
            bar.update(done - bar.n)

        zoo.fetch(source, show)


def require(*names):
    """Checks that the flags `names` were given.

    Raises:
        TfsegError: one is missing.
    """
    for name in names:
        if FLAGS[name].value in (None, "", []):
            raise TfsegError(f"--{name} is missing; --help lists all flags")
