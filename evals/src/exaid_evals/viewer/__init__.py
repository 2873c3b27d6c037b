"""The viewer: a campaign as one HTML file, from its main table down to what a clinician had read at a moment."""
