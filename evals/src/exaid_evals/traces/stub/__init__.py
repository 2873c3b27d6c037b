"""The stub generator: a seeded simulation of MAC's group chat that needs no model, no key and no network."""
