(import 'lib/lm.libsonnet').bidirectional('independent_lstm_no_srnn_no_hidden')
