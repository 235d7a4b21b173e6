"""The claims, one file each: see claims.claim."""
