(import 'lib/nmt.libsonnet')('lstm_no_srnn_no_out', 'lstm_cell_no_srnn_no_out')
