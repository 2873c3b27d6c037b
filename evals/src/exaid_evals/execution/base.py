"""What an executor is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Does work on many items, somewhere."""

    def map_ordered(
        self,
        build: Callable[[], Callable[[Item], Result]],
        items: Sequence[Item],
        *,
        here: Callable[[Item], Result] | None = None,
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield each item with its result, in the order of the items.

        Args:
            build: makes the function that does the work; called once in each process, so it and what it holds must
                survive pickling (a `functools.partial` of a class does).
            items: what to work on.
            here: the function for work in this process, where the caller has one already.

        Raises:
            ExaidError: a worker died. Whatever the function raises comes out as it is. The results before it have
                been yielded, and nothing runs on when the caller closes the generator.
        """
        ...
