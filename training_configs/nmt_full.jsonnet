(import 'lib/nmt.libsonnet')('lstm_full', 'lstm_cell_full')
