"""SDP: parsing, validation and writing. Pure data and functions, no I/O."""
