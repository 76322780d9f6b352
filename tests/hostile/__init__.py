"""Files made to harm, and what makes them: ``python -m tests.hostile FOLDER`` writes them all."""
