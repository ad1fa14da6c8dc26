"""Every sentence of a report, by name: one place to translate."""

from __future__ import annotations

from typing import Any

TEXTS: dict[str, str] = {
    # the page
    "page.language": "en",
    "page.title": "{model} on {data}",
    "page.kind": "Training report",
    "page.contents": "Contents",
    "page.skip": "Skip to the report",
    "page.ending": "Written by {program} on {date}. Everything is inside this file: it asks no network.",
    "section.missing": "This section could not be made: {reason}",
    "numbers.summary": "The numbers",
    "numbers.thinned": "Numbers ({shown} of {count} epochs)",
    # why something is not there
    "material.several": "the network has several inputs or outputs.",
    "material.no-row": "the network's answer has the shape {shape}, not one number for each class.",
    "material.no-classes": "the network's answers are numbers, and nothing says that they are classes.",
    "material.no-name": (
        "the data that judges is not at hand, and there is no run.json that names it. "
        "Name it: convista report RUN DATA, or in Python report(run, data)."
    ),
    "material.not-loaded": (
        "the data of this run, {data}, could not be loaded again ({error}) Give it: convista report RUN DATA, or in "
        "Python report(run, data)."
    ),
    "material.not-pictures": "its examples are of {shape}, and such are not drawn.",
    "material.no-examples": "there is no example to look into; give the data: convista report RUN DATA.",
    "example.right": "called {said}, rightly, {sure} sure",
    "example.wrong": "called {said}, but is {truth}, {sure} sure",
    "example.file": "shown the run's example.png",
    # the story
    "story.title": "The story",
    "story.learned": "The network {model} learned to tell {classes} apart from {count} of {shape}: the data {data}.",
    "story.watched": "{share} of them, drawn by the seed, were kept back to watch the learning.",
    "story.weights": "It did not begin from nothing: its first weights came from {source}.",
    "story.frozen": "{layers} kept their weights.",
    "story.how": "It saw them {times} in {duration}, {batch} at a time.",
    "story.machine": "That was on {cores} of a machine with {system} and {processor}.",
    "story.optimizer": "{optimizer} made the steps, and what they lowered was {loss}.",
    "story.optimizer-rate": "{name} with a learning rate of {rate}",
    "story.optimizer-schedule": "{name} with a learning rate that follows {schedule}",
    "story.result": "Of {count} that it had never seen it names {right} right: {accuracy}.",
    "story.every": "It is wrong about once in {every}.",
    "story.perfect": "It made no mistake on them: its true share of mistakes is likely below {bound} (3 in {count}).",
    "story.pair": "The pair it confuses most: {first} and {second}, {times}, both ways together.",
    "story.no-pair": "No two classes were confused more than once.",
    "story.size": "It has {parameters} ({bytes}) and needs {macs} to answer once.",
    "story.no-record": (
        "There is no run.json beside this model, so how it was trained is not known; what follows was found by asking "
        "the network itself."
    ),
    "story.interrupted": "The training was interrupted; the page shows what was learned until then.",
    "story.diverged": "The training diverged: its loss was no longer finite. The page shows the last good weights.",
    "story.judged-then": "The data was not at hand for this page: the results are those that the run wrote down.",
    "story.unjudged": "How good it is, is not known: {reason}",
    "fact.accuracy": "right on held-out data",
    "fact.loss": "loss on held-out data",
    "fact.mistakes": "mistakes among {count}",
    "fact.parameters": "parameters",
    "fact.time": "training time",
    "fact.epochs": "epochs",
    # the curves
    "curves.title": "How it learned",
    "curves.none": "no finished epoch was written down, neither in run.json nor in history.csv.",
    "curves.fell": "Over {epochs} the loss went from {first} to {last}.",
    "curves.best": "On what only watched, the loss was lowest after epoch {epoch} ({value}).",
    "curves.best-last": "On what only watched, the loss was lowest at the end ({value}): more epochs might still help.",
    "curves.gap": "At the end {training} of the training data and {validation} of what only watched were named right.",
    "curves.broken": "In {count} a value was not finite; the curve has a gap there.",
    "curve.caption": "{name} after each epoch",
    "curve.alt": "Line chart: {name} over {epochs}; training from {first} to {last}",
    "curve.alt-both": "{alone}, validation from {first} to {last}",
    "curve.epoch": "epoch",
    # who was taken for whom
    "confusion.title": "What was taken for what",
    "confusion.none": "there are no results: {reason}",
    "confusion.no-results": "the run wrote down no results.",
    "confusion.how": (
        "A row is what something is, a column what it was called. Right answers are in blue on the diagonal, mistakes "
        "in orange beside it; the darker, the larger its share of the row."
    ),
    "confusion.pairs": "The most frequent mistakes: {pairs}.",
    "confusion.pairs-once": "No mistake was made twice: {pairs}.",
    "confusion.pair": "{truth} taken for {said} ({count})",
    "confusion.no-mistakes": "There are no mistakes.",
    "confusion.caption": "Confusion matrix: {right} of {count} right",
    "confusion.corner": "is ↓, called →",
    "confusion.alt": "Confusion matrix of {classes}: {right} of {count} right. {pairs}",
    "confusion.recorded": "As the run itself counted, for the data is not at hand now.",
    # per class
    "classes.title": "Class by class",
    "classes.caption": "Precision, recall and F1 of every class",
    "classes.class": "class",
    "classes.support": "held out",
    "classes.precision": "precision",
    "classes.recall": "recall",
    "classes.f1": "F1",
    "classes.mistaken": "most often taken for",
    "classes.how": (
        "Precision: of what was called so, the share that is. Recall: of what is so, the share that was found. F1 is "
        "their harmonic mean, near the smaller of both."
    ),
    "classes.hardest": "The class it finds hardest is {name}, with F1 {f1}; the easiest is {easy}, with F1 {easy_f1}.",
    "classes.all-alike": "All classes have the same F1, {f1}.",
    "classes.worst-caption": "The {count} with the lowest F1",
    "classes.all": "All {count}",
    "classes.nothing": "–",
    # pictures
    "pictures.title": "The hardest pictures",
    "pictures.how": (
        "Hardest first: where the probability of the truth was least, which is where the loss is greatest. Look at "
        "them before you blame the network: some labels are wrong, and some pictures nobody could name."
    ),
    "pictures.none-wrong": "Everything was named right. These are the right answers that it was least sure of.",
    "pictures.pair": "The most confused pair: {first} and {second}",
    "pictures.pair-how": "{first} taken for {second}: {forth}; {second} taken for {first}: {back}.",
    "pictures.never": "never",
    "pictures.caption": "is {truth}, called {said} with {sure}; the truth had {true}",
    "pictures.alt": "Held-out picture {number}, a {truth} that was called {said}",
    # calibration
    "calibration.title": "How far to trust its probabilities",
    "calibration.how": (
        "Where a network says 80 %, it should be right four times in five. Answers are put into bins by how sure they "
        "are; a bar below the dashed line is a network that is too sure of itself."
    ),
    "calibration.error": (
        "The expected calibration error is {error} on {count}: on average it is {confidence} sure and {accuracy} right."
    ),
    "calibration.chance": "Probabilities without any fault would show {chance} on so many, by chance.",
    "calibration.too-sure": (
        "It is too sure: dividing its logits by {temperature} brings the error, on the half that did not choose this "
        "number, from {before} to {after}."
    ),
    "calibration.too-timid": (
        "It is too timid: dividing its logits by {temperature} brings the error, on the half that did not choose this "
        "number, from {before} to {after}."
    ),
    "calibration.small": "The doctor calls it a fault where the error is more than {limit} above that chance.",
    "calibration.timid-by-design": (
        "The doctor calls this a fault only where the error is more than {limit} above that chance: label smoothing "
        "makes a network timid on purpose, and caution costs less than false certainty."
    ),
    "calibration.diagram": "Reliability diagram, and below it how many answers are in each bin",
    "calibration.alt": "Reliability diagram in {bins}; the expected calibration error is {error}",
    "calibration.caption": "How sure, and how often right",
    "calibration.said": "it said",
    "calibration.answers": "answers",
    "calibration.confidence": "mean probability",
    "calibration.right": "right",
    # inside
    "filters.title": "What the first layer looks for",
    "filters.how": "{kind} {layer} has {count} learned kernels of {size}. Each answers where a picture looks like it.",
    "filters.in-colour": "Red, green and blue around mid-grey, which is 0; one scale for all kernels: ±{end}.",
    "filters.around-zero": "Grey is 0, blue is negative, orange is positive; one scale for all kernels: ±{end}.",
    "filters.mean": "The mean over the input channels is shown.",
    "filters.alt": "Kernel {number}, from {least} to {most}",
    "filters.more": "{count} more are not shown.",
    "filters.drawn": "The kernels, with one scale for all",
    "maps.title": "What it sees, layer by layer",
    "maps.how": "How one held-out example, {caption}, passes through the network.",
    "maps.colours": (
        "Each map has its own scale: from 0 (dark) to its greatest value (bright); where there are negative values, 0 "
        "is grey. The number under a map is that of its channel."
    ),
    "maps.input": "the input",
    "maps.layer": "{layer} ({kind}), {shape}",
    "maps.range": "Values from {least} to {most}, {zeros} of them 0.",
    "maps.some": "The first {shown} of {channels} are shown.",
    "maps.silent": "For this example {count} said nothing: {names}.",
    "maps.tile-silent": "{channel} silent",
    "maps.alt": "Channel {channel} of {layer}, from {least} to {most}",
    "maps.more": "{shown} of {count} layers are shown; left out: {names}.",
    "maps.drawn": "What each layer makes of the example; each map has its own scale",
    "maps.drawn-alt": "Feature maps of the example, layer by layer",
    "attribution.title": "Why it answered so",
    "attribution.how": (
        "Two ways to ask what an answer rests on. Grad-CAM shows where the last convolution found what speaks for the "
        "class; integrated gradients share the score out among the pixels. The stronger a colour, the more a place "
        "counts. They show what the network used, not what it ought to have used."
    ),
    "attribution.left-out": "One of them could not be asked: {reason}",
    "attribution.example": "Why {label}? It was {caption}",
    "attribution.picture": "the picture",
    "attribution.picture-alt": "The picture that was {caption}",
    "attribution.grad_cam": "Grad-CAM",
    "attribution.integrated_gradients": "Integrated gradients",
    "attribution.caption": "{method}: yellow speaks for it; strongest at row {row}, column {column}",
    "attribution.caption-empty": "{method}: its map is empty, nothing in it speaks for {label}",
    "attribution.caption-signed": (
        "{method}: yellow speaks for it, blue against it; strongest at row {row}, column {column}"
    ),
    "attribution.alt": "{method} over the picture: what speaks for {label} is strongest at row {row}, column {column}",
    "derivation.title": "Where every number comes from",
    "derivation.how": (
        "Sizes, parameters, products and memory follow from the layers' settings. Unfold a layer for the worked lines; "
        "// divides and rounds down."
    ),
    "derivation.caption": "Every layer in numbers, for one example in float32",
    "derivation.layer": "layer",
    "derivation.output": "output",
    "derivation.parameters": "parameters",
    "derivation.products": "multiply–accumulates",
    "derivation.memory": "output in bytes",
    "derivation.field": "sees of the input",
    "derivation.all": "all",
    "derivation.whole": "The whole network",
    "derivation.line": "line",
    "derivation.note": "meaning",
    "doctor.title": "What the doctor found",
    "doctor.counts": "Found: {counts}.",
    "doctor.examples": "The network, its training and {count} of its data were examined.",
    "doctor.alone": "Only the network and its training were examined, for the data is not at hand.",
    "doctor.sound": "Nothing was found that ought to be changed.",
    "doctor.finding": "{severity}: {title}",
    "doctor.error": "Error",
    "doctor.warning": "Warning",
    "doctor.note": "Note",
    "doctor.fix": "What helps: {fix}",
    "doctor.verified": "Tried on a copy: {verified}",
    "doctor.not-tried": "Not tried.",
    "doctor.checked": "What was checked ({count})",
    "doctor.not-checked": "Not checked:",
    "doctor.skipped": "{check}: {reason}",
    # how to repeat it
    "reproduction.title": "How to repeat it",
    "reproduction.command": "The command, as it was typed:",
    "reproduction.no-command": "There is no run.json, so the command is not known.",
    "reproduction.seed": (
        "The seed was {seed}. With the same seed, data and versions on the same kind of processor, the same numbers "
        "come out, whatever the number of threads."
    ),
    "reproduction.versions": "Versions",
    "reproduction.program": "program",
    "reproduction.then": "then",
    "reproduction.now": "this page",
    "reproduction.not-installed": "–",
    "reproduction.plan": "Settings",
    "reproduction.setting": "setting",
    "reproduction.value": "value",
    "reproduction.default": "default",
    "reproduction.by-default": "{value}, by default",
    "reproduction.data": "The data is {name}: {training} to learn from, {test} held out.",
    "reproduction.source": "Source: {source}",
    "reproduction.sums": "Checksums",
    "reproduction.file": "file",
    "reproduction.sha256": "SHA-256",
    "reproduction.no-sums": "Of this data no checksum is known.",
    "reproduction.judge": "To judge the saved network again, and to make this page again:",
    "reproduction.began": "began",
    "reproduction.machine": "machine",
    "reproduction.status": "status",
}

NOUNS: dict[str, tuple[str, str]] = {
    "picture": ("picture", "pictures"),
    "example": ("example", "examples"),
    "class": ("class", "classes"),
    "channel": ("channel", "channels"),
    "bin": ("bin", "bins"),
    "check": ("check", "checks"),
    "error": ("error", "errors"),
    "warning": ("warning", "warnings"),
    "note": ("note", "notes"),
    "epoch": ("epoch", "epochs"),
    "time": ("time", "times"),
    "core": ("core", "cores"),
    "parameter": ("parameter", "parameters"),
    "multiply–accumulate": ("multiply–accumulate", "multiply–accumulates"),
    "second": ("s", "s"),
    "minute": ("min", "min"),
    "hour": ("h", "h"),
}
"""A thing, one of it and several; a language with more forms brings a longer tuple and a rule of its own."""


def say(key: str, **values: Any) -> str:
    """Return a sentence with its blanks filled in; it is plain text, and escaped where it enters the page.

    Example:
        >>> say("confusion.pair", truth="cat", said="dog", count=3)
        'cat taken for dog (3)'
    """
    return TEXTS[key].format(**values)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "picture"), counted(60_000, "picture").replace("\u00a0", " ")
        ('1 picture', '60 000 pictures')
    """
    return f"{spaced(number)} {noun_of(number, noun)}"


def spaced(number: int) -> str:
    """Return a whole number as the worked lines write it: a space, at which no line breaks, between thousands.

    Example:
        >>> spaced(60_000).replace("\u00a0", " ")
        '60 000'
    """
    return f"{number:,}".replace(",", "\u00a0")


def noun_of(number: int, noun: str) -> str:
    """Return the form of a noun that stands behind a number."""
    one, many = NOUNS[noun]
    return one if number == 1 else many


def short(number: float, digits: int = 3) -> str:
    """Return a number with so many digits that count, and a minus that is one.

    Example:
        >>> short(-0.12345), short(1234.5)
        ('−0.123', '1.23e+03')
    """
    return f"{number:.{digits}g}".replace("-", "−")


def lasting(seconds: float) -> str:
    """Return a duration as people say it.

    Example:
        >>> lasting(3.25), lasting(200), lasting(7384)
        ('3.2 s', '3 min 20 s', '2 h 3 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} {noun_of(2, 'second')}"
    whole = round(seconds)
    if whole < 60:
        return counted(whole, "second")
    if whole < 3600:
        return f"{counted(whole // 60, 'minute')} {counted(whole % 60, 'second')}"
    return f"{counted(whole // 3600, 'hour')} {counted(whole % 3600 // 60, 'minute')}"
