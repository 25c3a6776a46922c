"""What a CI system is told: facts that travel, annotations of causes, a job summary.

Imported when pytest starts, and by the command line on every machine: the standard library only.
`parity.report.ci.compared` alone knows results.
"""
