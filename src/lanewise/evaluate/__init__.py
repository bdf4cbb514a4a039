"""Decisions measured on outcomes that are known. Pure: data in, figures out; it reads no file and sends nothing."""
