"""What requests, answers and chunks of models say, one file per wire: pure functions and a row of data each, no I/O."""
