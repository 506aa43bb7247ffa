"""The rooms of the server, one capability each."""
