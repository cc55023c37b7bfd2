(import 'lib/nmt.libsonnet')('lstm_no_srnn', 'lstm_cell_no_srnn')
