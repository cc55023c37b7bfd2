(import 'lib/nmt.libsonnet')('lstm', 'lstm_cell')
