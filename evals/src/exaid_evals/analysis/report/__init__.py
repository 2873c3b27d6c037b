"""An analysis as it is read: Markdown, HTML, `summary.json`, and a request for help that is filled in."""
