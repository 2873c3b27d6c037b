"""Files of cases: every id once, in all files of a folder."""

from __future__ import annotations

from exaid_evals.validation.base import FileCheck, Record


class CaseCheck(FileCheck):
    """Cases are told apart by their ids alone: two with one id would share a trace."""

    schema = "exaid.case"
    remedy = "give each case an id of its own"

    def record(self, line: int, record: Record) -> None:
        """Take the next case."""
        case_id = record["case_id"]
        place = f"{self.path.name}:{line}"
        earlier = self.surroundings.first_place_of_case(self.path.parent, case_id, place)
        if earlier is not None:
            self.found(line, f"the case {case_id} stands already in {earlier}")
