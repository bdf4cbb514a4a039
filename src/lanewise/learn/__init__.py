"""What makes the other rooms better from data: so far the student that names skills."""
