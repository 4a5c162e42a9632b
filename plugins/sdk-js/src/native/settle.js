/** In a test there is time: the call's result is a promise as well. */
export default (promise, finish, failed) =>
  promise.then(finish).catch((error) => {
    throw failed(error);
  });
