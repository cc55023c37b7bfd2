(import 'lib/nmt.libsonnet')('lstm_no_srnn_no_hidden', 'lstm_cell_no_srnn_no_hidden')
