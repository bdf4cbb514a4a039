"""What makes the other rooms better from data: the student that names skills, and labels for it."""
