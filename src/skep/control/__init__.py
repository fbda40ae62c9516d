"""Making it happen: asyncio over ports.

Decides nothing that `planning` can decide, and touches nothing but through `ports`.
"""
