"""From a study's `problem` to rows: importing tables, simulating data, splitting."""
