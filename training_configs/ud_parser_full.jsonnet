(import 'lib/ud_parser.libsonnet')('stacked_bidirectional_lstm_full')
