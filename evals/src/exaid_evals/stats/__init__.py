"""Arrays in, arrays out. Nothing here knows of cases or measures; randomness comes from a Generator passed in."""
