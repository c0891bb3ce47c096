"""Write the files with which a repository of its own begins: suite, target, policy, CI."""
