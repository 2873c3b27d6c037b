"""The system under test: gates, triggers and summarizers, composed by a variant's YAML."""
