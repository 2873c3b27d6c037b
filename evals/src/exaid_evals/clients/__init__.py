"""Language-model clients. Nothing else that the pipeline runs uses the network."""
