"""Records of older versions, rewritten as the current one."""
