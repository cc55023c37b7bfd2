(import 'lib/ud_parser.libsonnet')('stacked_bidirectional_lstm_no_srnn_no_out')
