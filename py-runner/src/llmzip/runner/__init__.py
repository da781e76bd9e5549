"""The runner protocol of PROTOCOL.md. Imports nothing here: the loop claims stdout before any library is loaded."""
