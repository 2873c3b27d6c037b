"""A figure: updates per case of each variant. Drawing and data are apart, so that the data can be written as CSV."""

from exaid_evals.report.figures.canvas import COLUMN_IN, new_canvas
from exaid_evals.report.notes import signatures_of

TITLE = "Updates per case"
CAPTION = "Mean number of updates that a case is told in."


def data_csv(results):
    """Return what the figure shows."""
    return "variant,updates\n" + "".join(f"{name},{mean}\n" for name, mean in _means(results))


def draw(results, primary):
    """Draw the figure; `primary` is the variant that stands out."""
    stub = any(variant.stub for variant in results)
    paper = new_canvas(COLUMN_IN, 2.2, note=CAPTION, signatures=signatures_of(results), stub=stub)
    axes = paper.axes(0.6, 0.4, 2.7, 1.7)
    names, means = zip(*_means(results), strict=True)
    axes.bar(names, means, color=["0.2" if name == primary else "0.6" for name in names])
    axes.set_ylabel("Updates")
    return paper.finished()


def _means(results):
    return [(variant.variant_id, variant.measures["update_count"].mean) for variant in results]
