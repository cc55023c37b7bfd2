(import 'lib/nmt.libsonnet')('lstm_no_gates', 'lstm_cell_no_gates')
