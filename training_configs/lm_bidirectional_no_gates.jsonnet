(import 'lib/lm.libsonnet').bidirectional('independent_lstm_no_gates')
