"""Cases: what the agents talk about, where it comes from, and which of it is selected."""
