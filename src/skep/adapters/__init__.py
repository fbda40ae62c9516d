"""Talking to the world: each file speaks one wire. May import model, ports and specs; never control."""
