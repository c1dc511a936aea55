"""Composes the text that the tiny llama learns from: very simple English, out of the plots and tables in grammar/."""
