"""What the classes of a data set are called on the page. All its words are plain text: escape them where they go."""

from dataclasses import dataclass
from functools import cached_property

from training.own_dataset import DIGITS

__all__ = ["DIGITS", "Classes"]

LONGEST = 12  # letters of a name where there is little room
WIDEST_LABEL = 2  # letters that fit into a label's circle


@dataclass(frozen=True)
class Classes:
    """The classes of a data set, by label; the page speaks of digits where they are the ten digits.

    Args:
        given: their names, as the checkpoint has them.
    """

    given: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.given)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names, each in one line."""
        return tuple(" ".join(name.split()) or f"number {label}" for label, name in enumerate(self.given))

    @cached_property
    def short_names(self) -> tuple[str, ...]:
        """The names, long ones cut."""
        return tuple(name if len(name) <= LONGEST else f"{name[: LONGEST - 1].rstrip()}…" for name in self.names)

    @property
    def fit_labels(self) -> bool:
        """Whether each name is so short that it fits into a circle on the map."""
        return max(map(len, self.names)) <= WIDEST_LABEL

    @property
    def are_digits(self) -> bool:
        """Whether they are the digits 0 to 9."""
        return self.given == DIGITS

    @property
    def noun(self) -> str:
        """What a class is: `digit` or `class`."""
        return "digit" if self.are_digits else "class"

    @property
    def nouns(self) -> str:
        """Several of them: `digits` or `classes`."""
        return "digits" if self.are_digits else "classes"

    @property
    def image(self) -> str:
        """What an image shows, and what one draws: `digit` or `image`."""
        return "digit" if self.are_digits else "image"

    @property
    def an_image(self) -> str:
        """`image`, with its article."""
        return "a digit" if self.are_digits else "an image"

    @property
    def recognised(self) -> str:
        """What a classifier recognises: `a digit` or `an image of a class`."""
        return "a digit" if self.are_digits else "an image of a class"

    @property
    def all_equally(self) -> str:
        """All of them: `all ten` or `all 12`."""
        return "all ten" if self.are_digits else f"all {len(self)}"

    def called(self, label: int) -> str:
        """Name an image by its class: `a 7`, `an 8`, `class Sandal`."""
        if self.are_digits:
            return f"an {label}" if label == 8 else f"a {label}"
        return f"class {self.names[label]}"

    def of(self, label: int) -> str:
        """Say of which class an image is, after `It is`: `a 7` or `of class Sandal`."""
        return self.called(label) if self.are_digits else f"of {self.called(label)}"
