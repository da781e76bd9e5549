"""Models: graphs, tokenizers and where they come from. Knows no containers and no codec."""
