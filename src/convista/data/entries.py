"""The named datasets: sizes, classes, licences, and where the published files are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """A published file.

    Args:
        file: Its name in the cache.
        urls: Where it is, best first; the others are mirrors of the same bytes.
        sha256: The SHA-256 of these bytes, hexadecimal.
        size: How many bytes they are.
    """

    file: str
    urls: tuple[str, ...]
    sha256: str
    size: int


@dataclass(frozen=True)
class Entry:
    """A dataset that can be loaded by name.

    Args:
        name: The name.
        title: What it shows, in a few words.
        family: How its files are laid out: ``"embedded"``, ``"idx"`` or ``"cifar"``.
        shape: The shape of a picture: (height, width, channels).
        counts: How many pictures there are to train and to test.
        classes: The names of the classes, in the order of the labels.
        licence: The licence, or what is known of it.
        citation: What to cite.
        downloads: The published files; none for embedded data.
        contents: For IDX, the SHA-256 of the four unpacked files where it is known: training images, training labels,
            test images, test labels.
    """

    name: str
    title: str
    family: str
    shape: tuple[int, int, int]
    counts: tuple[int, int]
    classes: tuple[str, ...]
    licence: str
    citation: str
    downloads: tuple[Download, ...] = ()
    contents: tuple[str, ...] = ()


IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_DIGITS = tuple("0123456789")
_THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_HUNDRED_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""
_HUNDRED = tuple(_HUNDRED_NAMES.split())


def _idx(bases: tuple[str, ...], digests: tuple[str, ...], sizes: tuple[int, ...]) -> tuple[Download, ...]:
    return tuple(
        Download(f"{file}.gz", tuple(f"{base}{file}.gz" for base in bases), digest, size)
        for file, digest, size in zip(IDX_FILES, digests, sizes, strict=True)
    )


def _cifar(file: str, digest: str, size: int) -> tuple[Download, ...]:
    return (Download(file, (f"https://www.cs.toronto.edu/~kriz/{file}",), digest, size),)


_ENTRIES = (
    Entry(
        name="digits",
        title="handwritten digits, inside the package",
        family="embedded",
        shape=(8, 8, 1),
        counts=(1437, 360),
        classes=_DIGITS,
        licence="CC BY 4.0",
        citation="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998, doi 10.24432/C50P49",
    ),
    Entry(
        name="mnist",
        title="handwritten digits",
        family="idx",
        shape=(28, 28, 1),
        counts=(60_000, 10_000),
        classes=_DIGITS,
        licence="CC BY-SA 3.0, as its distributors state",
        citation="Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits, 1998",
        downloads=_idx(
            ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
            (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
            (9_912_422, 28_881, 1_648_877, 4_542),
        ),
        contents=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    Entry(
        name="fashion_mnist",
        title="clothes",
        family="idx",
        shape=(28, 28, 1),
        counts=(60_000, 10_000),
        classes=_CLOTHES,
        licence="MIT",
        citation="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, arXiv 1708.07747, 2017",
        downloads=_idx(
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ),
            (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
            (26_421_880, 29_515, 4_422_102, 5_148),
        ),
    ),
    Entry(
        name="kmnist",
        title="cursive Japanese letters",
        family="idx",
        shape=(28, 28, 1),
        counts=(60_000, 10_000),
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        licence="CC BY-SA 4.0",
        citation="T. Clanuwat and others: Deep Learning for Classical Japanese Literature, arXiv 1812.01718, 2018",
        downloads=_idx(
            (
                "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
                "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            ),
            (
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
            (18_165_135, 29_497, 3_041_136, 5_120),
        ),
    ),
    Entry(
        name="cifar10",
        title="small colour photographs, 10 kinds of things",
        family="cifar",
        shape=(32, 32, 3),
        counts=(50_000, 10_000),
        classes=_THINGS,
        licence="none stated by its author, who asks for the citation",
        citation="A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
        downloads=_cifar(
            "cifar-10-python.tar.gz", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce", 170_498_071
        ),
    ),
    Entry(
        name="cifar100",
        title="small colour photographs, 100 kinds of things",
        family="cifar",
        shape=(32, 32, 3),
        counts=(50_000, 10_000),
        classes=_HUNDRED,
        licence="none stated by its author, who asks for the citation",
        citation="A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
        downloads=_cifar(
            "cifar-100-python.tar.gz", "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7", 169_001_437
        ),
    ),
)
ENTRIES: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""Every dataset by its name."""
