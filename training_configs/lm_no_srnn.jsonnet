(import 'lib/lm.libsonnet').forward('lstm_no_srnn')
