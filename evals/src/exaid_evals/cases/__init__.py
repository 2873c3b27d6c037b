"""Cases: what the agents discuss, where it comes from, and which of it is selected."""
