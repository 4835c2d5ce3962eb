"""Login: XML-RPC ``login_to_simulator``, from the bytes of the request to the seed capability."""
