"""Export: finished runs, consolidated over seeds, folds or trials."""
