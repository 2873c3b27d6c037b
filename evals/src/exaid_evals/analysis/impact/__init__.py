"""What hyper-parameters have to do with how runs end, over many runs."""
